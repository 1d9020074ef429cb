#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use IPC::Open3;
my $pid = open3(my $in, my $out, undef, "sort -r | head -2");
print $in "a\nb\nc\n";
close $in;
my @lines = <$out>;
waitpid $pid, 0;
page(@lines, $? >> 8);
