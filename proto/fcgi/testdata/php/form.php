<?php
header('Content-Type: application/json');
$out = ['raw' => file_get_contents('php://input'), 'length' => $_SERVER['CONTENT_LENGTH'] ?? ''];
if (isset($_POST['name'])) $out['name'] = $_POST['name'];
if (isset($_POST['list'])) $out['list'] = implode(',', $_POST['list']);
if (isset($_GET['q'])) $out['q'] = $_GET['q'];
if (isset($_COOKIE['c'])) $out['cookie'] = $_COOKIE['c'];
echo json_encode($out);
