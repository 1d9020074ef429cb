#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use JSON::XS;
page(JSON::XS->new->canonical->encode({ lamp => [1.5, JSON::XS::true], text => "caf\x{e9}" }));
