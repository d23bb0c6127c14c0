<?php $_SERVER["FOLDER"] = "root"; require "env.php";
