require 'json'
JSON.generate('lamp' => [1.5, nil], 'text' => 'é') + JSON.parse('[7]').first.to_s
