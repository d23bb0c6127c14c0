<?php
ignore_user_abort(true);
header('Content-Length: 5');
echo 'hello';
flush();
for ($n = 0; !file_exists($_GET['gate']) && $n < 4000; $n++) { clearstatcache(); usleep(5000); }
touch($_GET['done']);
