<?php $_SERVER["FOLDER"] = "sub"; require "../env.php";
