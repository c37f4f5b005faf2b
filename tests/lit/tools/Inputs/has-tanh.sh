#!/bin/sh
# halfstep-reduce takes 1 for "still shows the fault".
grep -q nn.tanh "$1" && exit 1
exit 0
