from amsunet.cli import main

main()
