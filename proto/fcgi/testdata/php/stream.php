<?php
header('Content-Type: text/event-stream');
for ($i = 0; $i < 5; $i++) {
	echo "data: $i\n\n";
	flush();
	for ($n = 0; !file_exists($_GET['gate'] . $i) && $n < 4000; $n++) { clearstatcache(); usleep(5000); }
}
