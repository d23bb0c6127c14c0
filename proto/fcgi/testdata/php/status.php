<?php
http_response_code((int)($_GET['code'] ?? 404));
header('X-A: b');
header('Connection: close');
header('Set-Cookie: a=1');
header('Set-Cookie: b=2', false);
if (isset($_GET['length'])) header('Content-Length: ' . $_GET['length']);
if (http_response_code() != 204) echo 'nothing';
