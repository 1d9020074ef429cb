require 'bigdecimal'
require 'bigdecimal/math'
require 'prime'
require 'matrix'
"#{2**200} #{BigMath.PI(10).round(10).to_s('F')} #{Prime.first(5)} #{Matrix[[1, 2], [3, 4]].det}"
