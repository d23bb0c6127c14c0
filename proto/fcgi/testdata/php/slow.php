<?php
if (isset($_GET['mark'])) touch($_GET['mark']);
if (isset($_GET['begin'])) { echo 'beginning'; flush(); }
for ($i = 0; $i < 600; $i++) usleep(50000);
