#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use charnames ();
use Unicode::Normalize;
use Unicode::Collate;
page(charnames::viacode(0xe9), " ", length NFD("\x{e9}"), " ", join ",", Unicode::Collate->new->sort(qw(b A a B)));
