#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
page("hello from ", $ENV{SERVER_PORT});
