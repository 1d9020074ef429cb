package clock;
use strict;
use nginx;

# What a query asks for is loaded when it is asked for.
sub handler {
	my $r = shift;
	my $what = $r->args // '';
	$r->send_http_header('text/plain');
	return OK if $r->header_only;
	if ($what eq 'posix') { require POSIX; $r->print(POSIX::strftime('%Y-%m-%d %H %Z', localtime(86400 * 200)), "\n"); }
	elsif ($what eq 'digest') { require Digest::SHA; $r->print(Digest::SHA::sha256_hex('harbour'), "\n"); }
	elsif ($what eq 'unicode') { require Unicode::Normalize; require charnames; $r->print(length(Unicode::Normalize::NFD("\x{e9}\x{e8}")), ' ', charnames::viacode(0xe9), "\n"); }
	elsif ($what eq 'encode') { require Encode; $r->print(unpack('H*', Encode::encode('euc-jp', "\x{65e5}\x{672c}")), "\n"); }
	else { $r->print("plain\n"); }
	return OK;
}
1;
