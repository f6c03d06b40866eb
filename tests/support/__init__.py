"""What tests are made with: clocks that are moved, gateways that are swapped, real processes."""
