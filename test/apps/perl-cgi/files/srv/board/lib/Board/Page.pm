package Board::Page;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = ('page');
sub page { print "Content-Type: text/plain; charset=utf-8\r\n\r\n", @_, "\n" }
1;
