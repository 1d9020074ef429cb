require 'timeout'
require 'monitor'
require 'fiber'
Timeout.timeout(5) { [1, 2, 3].map { |n| Thread.new { n * 2 } }.map(&:value).inspect } + Fiber.new { Fiber.yield 1 }.resume.to_s
