#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use POSIX qw(strftime setlocale LC_ALL);
use Time::Local;
setlocale(LC_ALL, "fr_FR.UTF-8");
$ENV{TZ} = "Asia/Tokyo";
POSIX::tzset();
page(strftime("%A %d %B %H:%M %Z", localtime timegm(0, 0, 12, 1, 6, 2021)));
