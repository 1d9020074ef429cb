require 'openssl'
require 'digest'
key = OpenSSL::Digest::SHA256.hexdigest('lamp')
cipher = OpenSSL::Cipher.new('aes-256-gcm').encrypt
"#{key[0, 12]} #{cipher.key_len} #{Digest::RMD160.hexdigest('lamp')[0, 8]} #{OpenSSL::X509::Store.new.set_default_paths.inspect}"
