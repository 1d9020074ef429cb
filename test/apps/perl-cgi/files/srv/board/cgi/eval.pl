#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
page(join " ", map { eval "require $_; 1" ? $_ : "no $_: $@" } qw(Data::Dumper Text::Wrap File::Temp Sys::Hostname Tie::File Compress::Zlib IO::Socket::IP Term::ANSIColor Pod::Text Archive::Tar));
