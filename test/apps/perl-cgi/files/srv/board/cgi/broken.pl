#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
die "not today";
