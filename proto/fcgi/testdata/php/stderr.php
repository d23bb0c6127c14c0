<?php
error_log('first complaint');
error_log('second complaint');
trigger_error('a warning', E_USER_WARNING);
echo 'done';
