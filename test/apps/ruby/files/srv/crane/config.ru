require_relative 'crane'
run Crane
