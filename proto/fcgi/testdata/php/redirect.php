<?php header("Location: /elsewhere");
