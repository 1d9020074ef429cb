<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="java.net.*, java.net.http.*" %><%= HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("http://localhost:8080/harbour/notes.txt")).build(), HttpResponse.BodyHandlers.ofString()).body() %> <%= InetAddress.getByName("localhost").isLoopbackAddress() %>
