require 'open3'
out, status = Open3.capture2('sort -r | head -1', stdin_data: "a\nb\n")
"#{out.strip} #{status.exitstatus} #{`echo shell`.strip} #{IO.popen(['tr', 'a', 'b'], 'r+') { |io| io.write('a'); io.close_write; io.read }}"
