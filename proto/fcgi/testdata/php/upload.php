<?php
header('Content-Type: application/json');
$f = $_FILES['file'];
echo json_encode(['name' => $f['name'], 'size' => $f['size'], 'error' => $f['error'], 'sha1' => sha1_file($f['tmp_name']), 'more' => $_POST['more']]);
