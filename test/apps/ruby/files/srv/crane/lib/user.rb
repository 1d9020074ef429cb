require 'etc'
"#{Etc.getpwuid.name} #{Dir.pwd} #{ENV.fetch('HOME', 'none')}"
