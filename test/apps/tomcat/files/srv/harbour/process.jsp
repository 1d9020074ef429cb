<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<% Process p = new ProcessBuilder("/bin/sh", "-c", "echo lamp | tr a-z A-Z; date -u -d @0 +%Y").start(); out.print(new String(p.getInputStream().readAllBytes())); %><%= java.lang.management.ManagementFactory.getThreadMXBean().getThreadCount() > 3 %>
