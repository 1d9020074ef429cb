require 'sinatra/base'

# What a page needs is required when it is asked for.
class Crane < Sinatra::Base
  set :show_exceptions, false
  get('/') { "crane\n" }
  get('/page/:name') do |name|
    path = File.join(__dir__, 'lib', "#{File.basename(name)}.rb")
    halt 404, "no such page\n" unless File.exist?(path)
    content_type 'text/plain', charset: 'utf-8'
    Module.new.module_eval(File.read(path), path).to_s + "\n"
  end
  get('/loads') do
    require 'sqlite3'
    @loads = SQLite3::Database.new('/var/lib/crane/crane.db').execute('SELECT name FROM loads WHERE id % 40 = 0 ORDER BY id')
    erb :loads
  end
  post('/loads') do
    require 'sqlite3'
    db = SQLite3::Database.new('/var/lib/crane/crane.db')
    db.execute('INSERT INTO loads (name) VALUES (?)', [params['name']])
    db.get_first_value('SELECT count(*) FROM loads').to_s + "\n"
  end
end
