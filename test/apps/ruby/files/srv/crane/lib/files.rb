require 'tempfile'
require 'fileutils'
require 'csv'
require 'erb'
Tempfile.create('crane') { |file| file.puts('a,b'); file.flush; CSV.read(file.path).inspect + ERB.new('<%= 6 * 7 %>').result }
