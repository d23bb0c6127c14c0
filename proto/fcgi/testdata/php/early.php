<?php echo "early"; flush(); header("X-Late: 1");
