#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use Socket qw(getaddrinfo SOCK_STREAM inet_aton inet_ntoa);
my ($error, @found) = getaddrinfo("localhost", "https", { socktype => SOCK_STREAM });
page($error || "found", " ", inet_ntoa(inet_aton("localhost")), " ", (getpwnam "www-data")[7], " ", (getprotobyname "tcp")[2]);
