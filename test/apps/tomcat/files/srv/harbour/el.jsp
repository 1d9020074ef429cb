<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<% request.setAttribute("lamps", java.util.Arrays.asList(3, 1, 2)); %>${lamps.stream().sorted().toList()} ${empty param.x ? 'none' : param.x} ${(x -> x * x)(7)}
