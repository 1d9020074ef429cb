require 'rubygems'
Gem::Specification.map(&:name).uniq.sort.select { |name| %w[rack sinatra tilt thin sqlite3 nokogiri].include?(name) }.join(' ')
