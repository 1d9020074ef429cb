require 'socket'
require 'net/http'
require 'resolv'
require 'etc'
"#{Addrinfo.tcp('localhost', 'https').ip_port} #{Resolv::Hosts.new.getaddress('localhost')} #{Etc.getpwnam('www-data').dir} #{Net::HTTP.get(URI('http://127.0.0.1:4567/')) rescue 'busy'}"[0, 40]
