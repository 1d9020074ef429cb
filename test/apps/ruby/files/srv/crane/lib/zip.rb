require 'zlib'
require 'stringio'
Zlib::Inflate.inflate(Zlib::Deflate.deflate('rope' * 100)).size.to_s + ' ' + Zlib.crc32('rope').to_s
