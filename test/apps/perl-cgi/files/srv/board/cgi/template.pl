#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use Template;
my $out = "";
Template->new->process(\"[% USE date %][% FOREACH n IN [1,2,3] %][% n * n %] [% END %][% date.format(0, '%Y', 'C', 1) %]", {}, \$out) or die;
page($out);
