require 'nokogiri'
require 'rexml/document'
Nokogiri::XML('<a><b>A &amp; B</b></a>').at('b').text + REXML::Document.new('<x y="1"/>').root.attributes['y']
