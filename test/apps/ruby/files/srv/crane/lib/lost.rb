raise 'not today'
