#!/usr/bin/perl
use strict;
use warnings;
use Board::Page;
use XML::LibXML;
page(XML::LibXML->load_xml(string => "<a><b>A &amp; B</b></a>")->findvalue("/a/b"));
