%w[set ostruct optparse securerandom logger benchmark strscan ripper io/console readline pstore tsort weakref fiddle racc/parser rubygems].map { |name| require name; name }.join(' ')
