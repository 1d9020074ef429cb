require 'time'
require 'date'
ENV['TZ'] = 'Asia/Tokyo'
text = Time.at(1_625_140_800).strftime('%F %T %Z')
ENV.delete('TZ')
"#{text} #{Date.new(2021, 2, 28).next} #{Time.parse('2021-07-01 12:00 UTC').iso8601}"
