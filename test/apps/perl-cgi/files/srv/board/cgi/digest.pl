#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use Digest::SHA qw(sha512_hex);
use Digest::MD5 qw(md5_hex);
use MIME::Base64;
page(substr(sha512_hex("lamp"), 0, 16), " ", md5_hex("lamp"), " ", encode_base64("lamp", ""));
