#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use DBI;
use CGI;
my $cgi = CGI->new;
my $db = DBI->connect("dbi:SQLite:dbname=$ENV{BOARD}", "", "", { RaiseError => 1 });
$db->do("INSERT INTO notices (text) VALUES (?)", undef, scalar $cgi->param("text"));
page($db->selectrow_array("SELECT count(*) FROM notices"));
