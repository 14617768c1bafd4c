# dalli: reads steps from stdin and answers each, as other_client.ts says. A mode is "raw", "json" or "marshal".
require "base64"
require "dalli"
require "json"

Dalli.logger.level = Logger::FATAL
address = ARGV[0]
CLIENTS = {
  "raw" => Dalli::Client.new(address),
  "json" => Dalli::Client.new(address, serializer: JSON),
  "marshal" => Dalli::Client.new(address)
}.freeze

def read(type, bytes)
  case type
  when "text" then bytes.force_encoding(Encoding::UTF_8)
  when "bytes" then bytes
  else JSON.parse(bytes)
  end
end

def write(value)
  type, bytes = value.is_a?(String) ? ["string", value] : ["json", JSON.dump(value)]
  "#{type}\t#{Base64.strict_encode64(bytes)}"
end

$stdout.sync = true
$stdin.each_line(chomp: true) do |line|
  operation, mode, key, type, text = line.split("\t", -1)
  answer =
    begin
      if operation == "set"
        CLIENTS[mode].set(key, read(type, Base64.decode64(text)), 0, raw: mode == "raw")
        "stored"
      else
        write(CLIENTS[mode].get(key))
      end
    rescue StandardError => e
      "error\t#{Base64.strict_encode64(e.message)}"
    end
  puts answer
end
