console.log("the harbour lights are lit for all ships at sea");
