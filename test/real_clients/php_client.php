<?php
// The extension memcached: reads steps from stdin and answers each, as other_client.ts says. A mode is a
// serializer and a compression: "json fastlz", "php", "igbinary", "msgpack".
[, $host, $port] = $argv;
ini_set('memcached.compression_threshold', '100');

function client(string $mode): Memcached {
    global $host, $port;
    static $clients = [];
    if (isset($clients[$mode])) return $clients[$mode];
    [$serializer, $compression] = explode(' ', $mode . ' ');
    $client = new Memcached();
    $client->addServer($host, (int) $port);
    $client->setOption(Memcached::OPT_SERIALIZER, constant('Memcached::SERIALIZER_' . strtoupper($serializer)));
    $client->setOption(Memcached::OPT_COMPRESSION, $compression !== '');
    if ($compression !== '') {
        $client->setOption(
            Memcached::OPT_COMPRESSION_TYPE,
            constant('Memcached::COMPRESSION_' . strtoupper($compression))
        );
    }
    return $clients[$mode] = $client;
}

function read(string $type, string $bytes): mixed {
    return match ($type) {
        'text', 'bytes' => $bytes,
        'int' => (int) $bytes,
        'double' => match ($bytes) {
            'NaN' => NAN,
            'Infinity' => INF,
            '-Infinity' => -INF,
            default => (float) $bytes,
        },
        'bool' => $bytes === 'true',
        'null' => null,
        'json' => json_decode($bytes),
    };
}

function write(mixed $value): string {
    [$type, $bytes] = match (true) {
        is_string($value) => ['string', $value],
        is_int($value) => ['int', (string) $value],
        is_float($value) => ['double', is_nan($value) ? 'NaN' : (is_infinite($value)
            ? ($value > 0 ? 'Infinity' : '-Infinity') : sprintf('%.17g', $value))],
        is_bool($value) => ['bool', $value ? 'true' : 'false'],
        $value === null => ['null', ''],
        default => ['json', json_encode($value, JSON_PRESERVE_ZERO_FRACTION)],
    };
    return $type . "\t" . base64_encode($bytes);
}

while (($line = fgets(STDIN)) !== false) {
    [$operation, $mode, $key, $type, $text] = explode("\t", rtrim($line, "\n") . "\t\t");
    $client = client($mode);
    if ($operation === 'set') {
        $stored = $client->set($key, read($type, base64_decode($text)));
        $answer = $stored ? 'stored' : "error\t" . base64_encode($client->getResultMessage());
    } else {
        $value = $client->get($key);
        $answer = $client->getResultCode() === Memcached::RES_SUCCESS
            ? write($value)
            : "error\t" . base64_encode($client->getResultMessage());
    }
    fwrite(STDOUT, $answer . "\n");
}
