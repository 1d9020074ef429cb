#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use Encode;
page(join " ", map { length encode($_, "\x{65e5}\x{672c}") } qw(shiftjis euc-jp utf-16 iso-2022-jp UTF-7));
