<?php
if (isset($_GET['length'])) header('Content-Length: ' . (5 << 20));
for ($i = 0; $i < 80; $i++) {
	echo str_repeat('0123456789abcdef', 4096);
	if (isset($_GET['flush'])) flush();
}
