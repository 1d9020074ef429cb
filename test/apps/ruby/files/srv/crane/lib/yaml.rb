require 'yaml'
YAML.load("a: [1, 2]\nb: 2021-01-01x\n").to_yaml
