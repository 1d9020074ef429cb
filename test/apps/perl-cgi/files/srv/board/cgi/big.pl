#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use Math::BigInt;
use Math::BigFloat;
use List::Util qw(sum);
use Storable qw(freeze thaw);
page(Math::BigInt->new(2)->bpow(200), " ", Math::BigFloat->new(2)->bsqrt(30), " ", sum(@{ thaw(freeze([1 .. 10])) }));
