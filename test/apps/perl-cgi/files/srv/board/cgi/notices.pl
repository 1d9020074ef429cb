#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use DBI;
my $db = DBI->connect("dbi:SQLite:dbname=$ENV{BOARD}", "", "", { RaiseError => 1 });
page(map { "$_->[0]\n" } @{ $db->selectall_arrayref("SELECT text FROM notices WHERE id % 40 = 0 ORDER BY id") });
